"""YAML -> frozen dataclasses, with every problem at once and its line.

In the order of the way: `load` finds the sources; `parse` makes a `tree` of values and places;
`overlay` lays --to, SIDECAR_* and --set on top; `blocks`, `upstreams` and `routes` read it into the
`schema`, value by value through `kinds`, `references` and `proxies`; `checks` tells what only the
whole can tell. `show` and `json_schema` go the other way.
"""

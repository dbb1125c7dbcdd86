"""A transparent, observability-first sidecar for AI-provider traffic.

The map, downhill; a module imports only from lines below its own:

    cli         argv -> command; the only place that prints and exits
    app         the composition root: real clock, sockets, sinks; start and stop
    net         HTTP in and out on aiohttp's server and connector, with the bytes pushed
    admin       the operator's port          telemetry  books, metrics page, log
    lab         simulated providers, sample traffic, the demo
    plan        settings -> the immutable graph that the pipeline walks
    settings    YAML -> frozen dataclasses; errors with file and line
    pipeline    a request's life, one verb a file: accept assign attempt relay settle
    policies    pure decisions; each file = Rule (its YAML block) + machine
    dialects    pure readers of what providers say
    metering    pure arithmetic on timestamped facts
    core        plain words that everyone shares; imports nothing of ours

The words, one per idea:

    Exchange    one request of a caller and its answer; ends in exactly one Outcome
    Attempt     one send of an exchange to one upstream
    Caller      who speaks to us (`client` where it is the port of one connection)
    Upstream    a configured destination: an Origin, its pool, its limits
    Origin      scheme, host and port (and a base path) of an upstream
    Provider    whose API an upstream is; what its keys belong to
    Dialect     which API is spoken, whoever provides it
    Route       from what a request bears to the upstream that takes it
    Mark        what a request says about the provider it is meant for
    Wire        one upstream connection, taken for one attempt
    Sink        what an upstream's bytes are pushed into
    Refusal     our own answer instead of the upstream's, with its Reason
    Reason      why something ended as it did; implies Outcome, Fault and status
    Record      a finished exchange, frozen; all telemetry is made of it
    Desk        the pipeline's side of clock, ids and books
    Plan        what runs; an exchange keeps the plan it began with
"""

__version__ = "0.1.0"

"""OTLP: the same pages and Records, sent to a collector.

`spans` and `metrics` make OpenTelemetry's own protobuf messages, `over_http` and `over_grpc` send
them, `exporter` is the thread between. Nothing here is imported unless an endpoint is configured,
and gRPC only where it is chosen.
"""

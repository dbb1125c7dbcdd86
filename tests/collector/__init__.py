"""Against the real OpenTelemetry Collector: `make collector` builds it (Go, about two minutes)."""

"""Tests of the simulated providers, of the traffic that meets them, and of the demo."""

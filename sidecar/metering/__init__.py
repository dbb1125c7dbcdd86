"""Pure arithmetic on timestamped facts."""

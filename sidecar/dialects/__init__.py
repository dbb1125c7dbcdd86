"""Pure readers: what each provider's API means. Bytes in, facts out; never a byte changed."""

"""The witness: protocol, state, service over HTTP."""

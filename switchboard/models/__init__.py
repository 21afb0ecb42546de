"""Language models: the protocol, its errors, the providers, and one module for each wire API."""

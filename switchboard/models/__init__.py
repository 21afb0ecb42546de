"""Language models: the protocol, its errors, and one module for each wire API."""

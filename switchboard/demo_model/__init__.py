"""An OpenAI-compatible model server that needs no key: it answers by rules or from a script."""

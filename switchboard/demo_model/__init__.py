"""OpenAI-compatible model server without a key: replies by rules, from a script, or from recordings."""

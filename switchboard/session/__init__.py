"""The session: one customer's conversation, and the object that holds its lock."""

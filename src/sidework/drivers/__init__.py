"""The only code that touches a connection: one file a client library, and three ways to use a handle."""

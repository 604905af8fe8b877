"""The field: one supervised link a connection, and the inbox that the cycle drains."""

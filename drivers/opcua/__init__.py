"""OPC UA client: batched subscriptions, sign and encrypt."""

"""OPC UA: subscriptions to the nodes of a server, encrypted unless the site says otherwise."""

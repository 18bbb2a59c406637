"""Who a shopper is, and how a shopper is forgotten: pseudonym keys, the reverse table, erasing.

Beneath the services, which use it; the client loads `key_files` alone."""

"""The local API: HTTP on a unix socket in the home, and on loopback if asked."""

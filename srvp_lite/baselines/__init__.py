"""The rivals of SRVP, in compact form."""

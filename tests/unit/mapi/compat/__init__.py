"""Programs in python-mapi's manner, run on `quintet.mapi.compat`."""

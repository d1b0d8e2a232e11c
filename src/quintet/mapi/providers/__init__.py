"""Providers: the messaging systems that programs reach through `quintet.mapi`, each behind three small
contracts.

`base` holds the contracts, `registry` finds who offers them, the other modules are one system each.
"""

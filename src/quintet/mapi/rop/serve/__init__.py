"""What a mailbox does for each remote operation, over the objects of the store (`quintet.mapi.objects`).

``run`` takes a buffer of operations and gives the answers; ``desk`` has the table from an operation to what
serves it; the modules beside them fill it, one for each group of operations.
"""

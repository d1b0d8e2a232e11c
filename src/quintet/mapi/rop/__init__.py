"""Remote operations: what a client asks of a mailbox, and the answers (MS-OXCROPS).

``registry`` says how a buffer of operations is read and written; the bodies of each are in ``stores``,
``folders``, ``tables``, ``messages``, ``properties``, ``streams`` and ``others``, requests and answers alike
in both directions, so that a client can use them.  What a server does for each stands in ``serve``.
"""

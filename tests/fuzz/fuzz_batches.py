"""Any bytes as a batch of articles: articles or one kind of fault come out, however it is packed."""

import gzip

from quintet.delivery.batches import BadBatch, Unbatcher, article

BATCH = b"#! rnews 27\nMessage-ID: <a@b>\n\nHello.\n\n#! rnews 3\nabc"
SEEDS = [
    BATCH,
    b"#! cunbatch\n" + gzip.compress(BATCH, mtime=0),
    b"#! cunbatch\n\x1f\x9d\x90abc",
    b"Subject: x\n\nx\n",
]


def target(data: bytes) -> None:
    """See the module."""
    parser = Unbatcher(1000)
    try:
        for at in range(0, len(data), 7):
            for one in parser.feed(data[at : at + 7]):
                assert len(one) <= 1000
                article(one)
        for one in parser.finish():
            article(one)
    except BadBatch:
        pass

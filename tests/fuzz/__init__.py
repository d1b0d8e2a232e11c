"""Fuzz targets, one file each: ``fuzz_NAME.py``.

A target file has::

    SEEDS: list[bytes]                    # well-formed inputs to start from
    def target(data: bytes) -> None: ...  # feeds the parser; only what may come out is caught inside

Whatever ``target`` raises is a finding. ``make fuzz`` runs each for a while (``tools/fuzz.py``), guided by
coverage where atheris is there and at random elsewhere; ``test_targets.py`` runs each for a moment in every
test run.
"""

"""A process that dies between two renames, as one that is killed does: nothing is cleaned up."""

import forks

DIE = """
import os, sys
really, renames = os.replace, 0

def replace(source, target):
    global renames
    renames += sys.argv[3] not in str(target)
    if renames == int(sys.argv[2]):
        os._exit(9)
    really(source, target)

os.replace = replace
"""
# Runs the command, and dies instead of renaming a file of that name.
DIE_AT_FILE = """
import os, sys
from engagement_pipeline.cli.main import main
really = os.replace

def replace(source, target):
    if str(target).endswith(sys.argv[1]):
        os._exit(9)
    really(source, target)

os.replace = replace
sys.exit(main(sys.argv[2:]))
"""


def dies_at(place, lake, command, *, uncounted="//"):
    """Run Python that finds the lake in sys.argv[1], and end it instead of its rename number `place`.

    Renames of which the target holds the text `uncounted` do not count. The lake's source is in sys.argv[4]. Tell
    whether it died.
    """
    ended = forks.run(DIE + command, str(lake.root), str(place), uncounted, lake.source)
    assert ended.code in {0, 9}, ended.said
    return ended.code == 9

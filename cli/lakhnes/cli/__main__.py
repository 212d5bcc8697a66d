"""`python -m lakhnes.cli` is `lakhnes`."""

import sys

from lakhnes.cli.app import main

sys.exit(main())

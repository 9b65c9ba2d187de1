"""`python -m integrator` is the command `integrator`."""

import sys

from integrator.cli import main

sys.exit(main())

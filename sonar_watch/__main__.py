"""`python -m sonar_watch`."""

import sys

from sonar_watch.cli import main

sys.exit(main())

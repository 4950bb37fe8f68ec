"""``python -m spatialflow``: the same as ``spatialflow``."""

from spatialflow.cli import main

if __name__ == "__main__":
    main()

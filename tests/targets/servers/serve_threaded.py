"""http.server, with a thread for each connection: serve_threaded.py SOCKET"""
import signal
import sys

import threaded

signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
threaded.Server.block_on_close = False
threaded.Server(sys.argv[1], threaded.Handler).serve_forever()

from web_terminal_suite.server.worker.relay import Listener as Listener
from web_terminal_suite.server.worker.relay import Relay as Relay
from web_terminal_suite.server.worker.relay import lighten as lighten

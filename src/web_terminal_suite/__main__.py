from web_terminal_suite.cli.main import main

main()

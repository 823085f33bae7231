from web_terminal.cli.main import main

main()

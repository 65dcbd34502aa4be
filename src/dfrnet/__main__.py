from dfrnet.cli import main

main()

"""Plans, carries out and checks a deployment of the lottery; the calls of its offices."""

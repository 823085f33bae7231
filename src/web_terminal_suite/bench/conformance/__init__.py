"""What a terminal does where others lose, double, answer twice or let in: asked on the wire, cell by cell.

``table`` lists the checks, ``matrix`` runs them on terminals, ``documents`` writes what they found.
"""

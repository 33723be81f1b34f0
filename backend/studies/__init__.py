"""Human studies: what people are asked, and what follows from their answers."""

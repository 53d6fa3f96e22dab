"""Write a folder of static files that runs a bundle in the browser."""

"""The wire protocols, Engine.IO 4 and Socket.IO 5, checked byte by byte."""

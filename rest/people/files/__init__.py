"""Files over HTTP: what people send, looked at before it is stored, and what is stored for them.

Tables    files, by storage.files, which every package may use
Calls     storage.files
Jobs      files.purge comes back by itself
Promises  the type is read from the bytes, never believed; a picture is decoded and written anew, so that what is stored
          is a picture and nothing else, without the place and the phone it was taken with; a picture that grows beyond
          all bounds when decoded is refused before it does; decoding is done in a thread and never stalls the others;
          a document of a chat is kept as it is and only ever downloaded;
          a file is given to its owner, or by the route of the domain that has attached it
"""

from rest.people.files.model import UPLOADS, PictureUnreadable, TypeRefused
from rest.people.files.replies import file_reply

__all__ = ["UPLOADS", "PictureUnreadable", "TypeRefused", "file_reply"]

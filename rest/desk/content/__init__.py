"""Content: announcements for a part of everybody and a period, and help documents anybody may read.

Tables    announcements, help_documents
Calls     people.crowds (which parts somebody belongs to)
Promises  an announcement is shown to its audience and in its period alone; a help document that is not published is
          not there; search finds what has all the words, in either language, however wide or high they were typed
Source    FR-197, FR-198
"""

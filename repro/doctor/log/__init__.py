"""Which documented failure does a log show?"""

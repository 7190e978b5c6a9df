import x  # a – ‘b’

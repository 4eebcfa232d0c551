"""What programs that maintainer scripts call make of an image's files, without running them."""

"""What an image is: digest, reference, platform, manifest, config. No I/O."""

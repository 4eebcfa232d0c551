"""The distribution protocol: client, authentication, mirrors, mounts, resumed uploads."""

"""What people see: lines, live transfers, tables and pages."""

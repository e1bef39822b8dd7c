"""Who may export: people whose work it is to review and to inspect."""

from audit.models import Role

EXPORTERS = {Role.AUDITOR, Role.QA_REVIEWER, Role.QA_APPROVER}

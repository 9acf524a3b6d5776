"""What the operator has notices say, and which are sent: templates, switches, the limit of an hour.

Tables    notice_templates, notice_rules: versions, of which the newest counts
Calls     nobody
Promises  a template names only what its kind is about; without one a kind says what `words` has; news of safety and
          money, and what staff send themselves, stay in the inbox
Source    FR-190, FR-192
"""

"""The rules, one topic a module. This is the list: code of ``rules.csv`` and the function that answers."""

from collections.abc import Callable, Mapping

from hooks.clinic.picture import Case
from hooks.finding import Answer
from hooks.guidelines import Evidence
from hooks.rules.bleeding import active_bleeding, bleeding_disorder
from hooks.rules.data_quality import data_not_usable
from hooks.rules.devices import (
    cns_tumour,
    compression_stockings,
    early_walking,
    ivc_filter_may_be_considered,
    ivc_filter_not_indicated,
    ivc_filter_progression,
    thrombolysis_in_cancer,
)
from hooks.rules.doac import (
    doac_in_cancer,
    doac_luminal_gi,
    doac_luminal_gu,
    doac_needs_lead_in,
    doac_untested_in_cancer,
    ordered_for_other_indication,
)
from hooks.rules.doac_dose import doac_starting_dose
from hooks.rules.duplicates import duplicate_anticoagulant
from hooks.rules.duration import (
    duration_under_six_months,
    extend_while_cancer_active,
    remission_review_duration,
    review_due,
    stop_too_early,
)
from hooks.rules.hit import hit_history
from hooks.rules.interactions import doac_interaction
from hooks.rules.kidneys import renal_function, unstable_creatinine
from hooks.rules.liver import hepatic_impairment
from hooks.rules.lmwh_dose import dalteparin_step_down, lmwh_dose_check
from hooks.rules.platelets import low_platelets
from hooks.rules.pregnancy import pregnancy
from hooks.rules.recurrence import recurrent_vte_on_treatment
from hooks.rules.start import start_anticoagulation
from hooks.rules.ufh import ufh_lmwh_preferred
from hooks.rules.vka import vka_in_cancer

Check = Callable[[Case, Evidence], Answer]

RULES: Mapping[str, Check] = {
    "start-anticoagulation": start_anticoagulation,
    "ufh-lmwh-preferred": ufh_lmwh_preferred,
    "vka-in-cancer": vka_in_cancer,
    "doac-in-cancer": doac_in_cancer,
    "doac-luminal-gi": doac_luminal_gi,
    "doac-luminal-gu": doac_luminal_gu,
    "doac-untested-in-cancer": doac_untested_in_cancer,
    "doac-needs-lead-in": doac_needs_lead_in,
    "ordered-for-other-indication": ordered_for_other_indication,
    "dalteparin-step-down": dalteparin_step_down,
    "lmwh-dose-check": lmwh_dose_check,
    "duration-under-six-months": duration_under_six_months,
    "extend-while-cancer-active": extend_while_cancer_active,
    "stop-too-early": stop_too_early,
    "remission-review-duration": remission_review_duration,
    "ivc-filter-not-indicated": ivc_filter_not_indicated,
    "ivc-filter-may-be-considered": ivc_filter_may_be_considered,
    "ivc-filter-progression": ivc_filter_progression,
    "thrombolysis-in-cancer": thrombolysis_in_cancer,
    "compression-stockings": compression_stockings,
    "early-walking": early_walking,
    "active-bleeding": active_bleeding,
    "renal-function": renal_function,
    "low-platelets": low_platelets,
    "review-due": review_due,
    "recurrent-vte-on-treatment": recurrent_vte_on_treatment,
    "data-not-usable": data_not_usable,
    "hit-history": hit_history,
    "pregnancy": pregnancy,
    "bleeding-disorder": bleeding_disorder,
    "duplicate-anticoagulant": duplicate_anticoagulant,
    "doac-interaction": doac_interaction,
    "hepatic-impairment": hepatic_impairment,
    "cns-tumour": cns_tumour,
    "unstable-creatinine": unstable_creatinine,
    "doac-starting-dose": doac_starting_dose,
}

"""Every SQL query of the page on the two RN50 encoders; no caller changes what it is given."""

import pandas

from dashboard.connection import Results
from dashboard.kept import kept

STAGES = ("stem", "stage 1", "stage 2", "stage 3", "stage 4", "head")
# Twice and more what either encoder has, so that no foreign file keeps the page busy.
MOST_LAYERS, LONGEST_TEXT = 500, 80


@kept
def encoder_profiles(results: Results) -> list[str]:
    """The profiles in which both encoders were written down, the latest first, those that were merged and kept apart last.

    Asks the table `run` alone, which every results file has.
    """
    found = results.query(
        """SELECT profile FROM run WHERE experiment = 'rn50_architectures' AND profile IS NOT NULL
             AND variant IN ('torchvision_rn50', 'clip_rn50')
           GROUP BY profile HAVING count(DISTINCT variant) = 2
           ORDER BY profile LIKE '% (%)', max(started_at) DESC, profile"""
    )
    return [str(profile) for profile in found.profile]


@kept
def encoder_runs(results: Results, profile: str | None = None) -> pandas.DataFrame:
    """The latest run of each encoder in a profile, or in any, one that was kept apart only where there is no other.

    Columns variant, run_id, image_size_px (0 where it is unknown).

    Asks the table `run` alone, which every results file has.
    """
    return results.query(
        """SELECT variant, run_id, coalesce(try_cast(settings ->> 'image_size_px' AS INTEGER), 0) AS image_size_px
           FROM run WHERE experiment = 'rn50_architectures' AND ($profile IS NULL OR profile = $profile)
           QUALIFY row_number() OVER (
               PARTITION BY variant ORDER BY profile LIKE '% (%)', started_at DESC, run_id) = 1 ORDER BY variant DESC""",
        profile=profile,
    )


@kept
def encoder_layers(results: Results, run_id: str) -> pandas.DataFrame:
    """The layers of one encoder in the order in which they run.

    Texts are cut, as they may be foreign. Columns ordinal, stage, name, kind, detail, output_shape, parameters, multiply_adds.
    """
    return results.query(
        """SELECT ordinal, stage, left(name, $longest) AS name, left(kind, $longest) AS kind, left(detail, $longest) AS detail,
                  left(output_shape, $longest) AS output_shape, parameters, multiply_adds FROM model_layer
           WHERE run_id = $run_id AND list_contains($stages, stage) ORDER BY ordinal LIMIT $most""",
        run_id=run_id,
        stages=list(STAGES),
        most=MOST_LAYERS,
        longest=LONGEST_TEXT,
    )

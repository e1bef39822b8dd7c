import pytest
from tests.twin_core import factories

@pytest.fixture
def made(ledger_db):
    site = factories.site()
    row = factories.batch(site)
    factories.forecast(site,row,at_h=144)
    f = factories.forecast(site,row)
    rec = factories.recommendation(site,f)
    row2 = factories.batch(site,"BR-101")
    f2 = factories.forecast(site,row2, undecided="the last count lies outside the band of the estimate")
    return site,row,rec

def test_all(made, client):
    site,row,rec = made
    for who in site.people:
        client.force_login(site.user(who))
        import time
        s = client.session
        from audit.session_store import OPENED, SEEN
        s[OPENED]=s[SEEN]=time.time(); s.save()
        for a in ["/","/desk/","/batches/",f"/batches/{row.number}/",f"/recommendations/{rec.pk}/",f"/recommendations/{rec.pk}/decision/","/health/",f"/live/batches/{row.number}/charts/",f"/batches/{row.number}/laboratory.csv",f"/batches/{row.number}/charts/cells.csv"]:
            t=time.time()
            r=client.get(a)
            print(who,a,r.status_code,round(time.time()-t,3),len(r.content))

src=open('/tmp/audit1/hit.py').read().replace('serve.log','serve2.log').replace('/a/data','/e'); exec(src)
iso=time.strftime('%Y-%m-%dT%H:%M:%S.000Z',time.gmtime())
def rsa(b):
    return base64.b64encode(subprocess.run(['openssl','dgst','-sha256','-sign','/tmp/audit1/sns.key'],input=b,capture_output=True).stdout).decode()
def sns(**k):
    d={"Message":"hello","MessageId":"m"+str(k.get('n',1)),"Timestamp":iso,"TopicArn":"arn:aws:sns:us-east-1:123456789012:t","Type":"Notification"}; k.pop('n',None); d.update(k)
    keys=["Message","MessageId","Subject","Timestamp","TopicArn","Type"] if d['Type']=='Notification' else ["Message","MessageId","SubscribeURL","Timestamp","Token","TopicArn","Type"]
    s=''.join(f"{x}\n{d[x]}\n" for x in keys if x in d)
    d.update(SignatureVersion='2',Signature=rsa(s.encode()),SigningCertURL='https://sns.us-east-1.amazonaws.com/x.pem')
    return req('/hooks/sns',json.dumps(d).encode(),{'Content-Type':'text/plain; charset=UTF-8','x-amz-sns-message-type':d['Type']})
show('sns',sns()); show('sns subject',sns(n=2,Subject='s')); show('sns old',sns(n=3,Timestamp='2026-11-22T08:00:00.000Z'))
show('sns confirm evil',sns(n=4,Type='SubscriptionConfirmation',Token='t',SubscribeURL='https://evil.example.com/?Action=ConfirmSubscription'))
show('sns confirm good',sns(n=5,Type='SubscriptionConfirmation',Token='t',SubscribeURL='https://sns.us-east-1.amazonaws.com/?Action=ConfirmSubscription&TopicArn=arn:aws:sns:us-east-1:123456789012:t&Token=t'))
import zlib
b=b'{"id":"WH-1","event_type":"PAYMENT.SALE.COMPLETED"}'
show('paypal',req('/hooks/pp',b,{'PAYPAL-TRANSMISSION-ID':'i-1','PAYPAL-TRANSMISSION-TIME':iso,'PAYPAL-AUTH-ALGO':'SHA256withRSA','PAYPAL-CERT-URL':'https://api.paypal.com/v1/notifications/certs/CERT-1','PAYPAL-TRANSMISSION-SIG':rsa(f'i-1|{iso}|8PT597110X687430LKGECATA|{zlib.crc32(b)}'.encode())}))
show('rsa',req('/hooks/rsa',b,{'X-S':rsa(b)})); show('rsa bad',req('/hooks/rsa',b+b' ',{'X-S':rsa(b)}))
sg=H('abcdefghij',b,enc='b').replace('+','-').replace('/','_').rstrip('=')
show('urlsig',req('/hooks/urlsig?sig='+sg,b)); show('urlsig bad',req('/hooks/urlsig?sig='+sg[:-2]+'AA',b))
time.sleep(2)
r=req('/api/tasks',method='GET',admin=True); print(r[2][:900])
